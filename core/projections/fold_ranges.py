"""The program of a process that folds for another one: `python -m core.projections.fold_ranges`."""

from core.projections.hands import serve
from core.projections.replay import written_range

if __name__ == "__main__":
    serve(written_range)

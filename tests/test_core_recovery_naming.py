"""A recovery key is named: the public half alone, with what both people wrote."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from core.log_key import LogKeys, short
from core.recovery_key import PrivateHalfShown
from dashboards.key_acts import name_recovery_key
from tests.plant import PIN
from tests.test_core_recovery_key import AWAY, NAMING, OTHER, running, saved
from tests.test_core_recovery_key import data as data
from tests.test_core_recovery_key import named_folder as named_folder

pytestmark = pytest.mark.requirement("H5", "H7")


def test_private_half_is_refused_and_repeated_nowhere(data: Path, tmp_path: Path) -> None:
    secret = saved(OTHER, tmp_path / "other.key").read_text("ascii")
    with running(data) as execution:
        size = execution.ledger.size()
        tell = partial(name_recovery_key, execution, secret, why=NAMING, user="quinn", secret=PIN)
        with pytest.raises(PrivateHalfShown) as refused:
            tell()
        assert str(refused.value) == (
            "Recovery key: this is its private half, which belongs outside the plant alone. Use it"
            " no more; make another one: batchwright keys make-recovery."
        )
        assert refused.value.facts == {}
        assert execution.ledger.size() == size


def test_naming_keeps_the_reasons_of_both_people_and_one_that_is_the_same_once(
    data: Path,
) -> None:
    with running(data) as execution:
        tell = partial(name_recovery_key, execution, OTHER.vkey, secret=PIN)
        keys = execution.nouns.get(LogKeys, "log")
        assert keys is not None
        assert keys.recovery is not None
        assert keys.recovery.why == NAMING
        tell(user="quinn", why="Box 12.")
        told = tell(user="erik", why="Compared.")
        assert f"Destroy the private half of {short(AWAY.vkey)}." in told
        keys = execution.nouns.get(LogKeys, "log")
        assert keys is not None
        assert keys.recovery is not None
        assert keys.recovery.why == "Box 12. Compared."

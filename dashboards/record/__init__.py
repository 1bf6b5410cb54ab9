"""The batch record on paper: `typeset` makes the PDF, `seal` signs it, `routes` hand it out."""

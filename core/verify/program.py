"""Verify an exported ledger: `python3 verify.py BUNDLE [--vkey KEY] [--anchor FILE] [--jobs N]`.

Needs Python 3.8 or later, no network, no other file of the program that made the bundle. Says OK
with size and root, or the first broken entry and why, and ends with 1. Its plan, by number:

1. The log's public key comes from --vkey (trust it for where it came from), else from the bundle
   (then damage after signing shows, but not a bundle signed by somebody else).
2. The checkpoint is a signed note (C2SP): origin, tree size, root; the signature holds. Where the
   log was handed over to new keys, `keys.txt` leads from any one of them to the newest: each note
   is signed by the old key and the new one, and is what its entry says. The newest key signs the
   checkpoint; a former one counts for an anchor, up to the entry that ended it. One that an entry
   revoked, as stolen or lost, counts only as far as that entry says, and leads to no newer key.
   Where a key was lost, the recovery key that an entry before had named hands the log over, once,
   and the last checkpoint of the lost key is a prefix of this log: a recovery rewrites nothing.
   Only a whole log proves that; a part, or a list of files, is checked with a key from after it.
3. A whole log has `leaves.txt`, one hash per entry: as a Merkle tree (RFC 6962) they lead to the
   signed root, and each line of `entries.jsonl` has its hash, so a changed entry is named. A long
   log is read in parts, by as many processes as --jobs says.
4. A batch bundle has `proofs.json`: the last entry of each stream leads to the signed root by its
   inclusion proof, and each entry names the hash of the one before it. A batch that does not end
   in `batch.closed` is said to be NOT CLOSED; after it nothing may follow.
5. Every line is one entry in canonical JSON (RFC 8785, no floats), `seq` in order without gaps;
   in each stream `ver` counts from 1 and `prev` is the hash of the entry before.
6. With --anchor, an older checkpoint of the same log is a prefix of this one.
7. Every file has its SHA-256 in `manifest-sha256.txt`. Files that the entries do not prove, the
   record, count only where `manifest-sha256.sig` holds; a closed record is what its entry says. A
   batch bundle without that signature is said to be NOT SIGNED: whole records may be left out.
8. In a batch bundle the digest of each signature is that of its statement, and it names its own
   record and the hash of the entry that its signer saw. Of a whole log the server checks this. In
   both, what a passkey or a sign-in provider signed is over that statement and holds under the key
   kept with it, and an earlier entry gave that passkey or account to the signer.
9. A list of files without any part of a ledger, as a qualification is, counts by 7 alone; it is
   said that there is no ledger in it.
"""

from __future__ import annotations

import argparse
import io
import os
import sys

from core.verify.bundle import Broken
from core.verify.proof import verify


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify an exported ledger or batch bundle.")
    parser.add_argument("bundle", help="the exported folder or zip")
    parser.add_argument("--vkey", help="the log's public key, from a source that you trust")
    parser.add_argument("--anchor", help="a file with an older checkpoint of the same log")
    parser.add_argument("--jobs", help="processes that read", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that knows few letters
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        said, status = verify(given.bundle, given.vkey, given.anchor, jobs=given.jobs), 0
    except Broken as fault:
        said, status = f"NOT PROVEN: {fault}.", 1
    try:
        print(said, flush=True)
    except BrokenPipeError:  # whoever reads has seen enough; the status is the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


if __name__ == "__main__":
    sys.exit(main())

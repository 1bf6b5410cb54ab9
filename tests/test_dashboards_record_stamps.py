"""Seals with the time stamps of a real authority, as a reader sees them years later."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
import typst
from asn1crypto import crl, pem, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESPassed
from pyhanko.sign.validation import DocumentSecurityStore as DSS
from pyhanko.sign.validation import EmbeddedPdfSignature, validate_pdf_timestamp
from pyhanko.sign.validation.ades import ades_lta_validation
from pyhanko.sign.validation.generic_cms import extract_tst_data_iter
from pyhanko.sign.validation.policy_decl import (
    LocalKnowledge,
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import (
    CertRevTrustPolicy,
    RevocationCheckingPolicy,
    RevocationCheckingRule,
)
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer

from core.batch_record.model import BatchRecord
from core.batch_record.read import read_record
from core.certificate import revocation_lists
from core.errors import MesError
from core.ledger.timestamp import certificates
from dashboards.record.bundle import attachments
from dashboards.record.seal import NO_AUTHORITY, Seal
from dashboards.record.stamp import Hold, NotOurs, Stamps
from dashboards.record.typeset import STANDARD, Attached, Copy, pdf
from erp.file_stamps import REST_S, FileStamps
from erp.timestamp import Authority
from tests.authority import SLOW_S, LocalAuthority, make_authority, none_revoked, serving
from tests.erp_plant import free_port
from tests.floor import open_floor
from tests.hands import AT
from tests.records import authority, holding, text_of
from tests.test_core_batch_record import deviated
from tests.verapdf import judged

COPY = Copy(number=1, by="Quinn", at=AT)
PAGE: bytes = typst.compile(
    b"Record", format="pdf", pdf_standards=STANDARD, ignore_system_fonts=True
)
SEALS = ["reviewer", "releaser", "plant"]
pytestmark = pytest.mark.requirement("I7")
NOW, IN_3_YEARS, IN_6_YEARS = (timedelta(days=365 * years) for years in (0, 3, 6))


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAuthority]:
    """An authority whose certificate lasts five years; the plant's seals last two."""
    made = make_authority(tmp_path_factory.mktemp("tsa") / "a", "Alpha", port=free_port())
    with serving(made) as found:
        yield found


@pytest.fixture(scope="module")
def later_tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAuthority]:
    folder = tmp_path_factory.mktemp("tsa") / "b"
    with serving(make_authority(folder, "B", days=5000, port=free_port())) as found:
        yield found


def stamps_of(*found: LocalAuthority, within_s: float = 20) -> FileStamps:
    trusted = [one for it in found for one in certificates(it.root)]
    return FileStamps(Authority(address=found[0].address, trusted=trusted), within_s=within_s)


@dataclass
class Papers:
    """A page with the seals of a record: without any stamp, and with them.

    A whole record has thousands of objects, and a reader that compares them all takes minutes.
    """

    keys: Path
    record: BatchRecord
    inside: tuple[Attached, ...]
    plain: bytes
    stamped: bytes
    hold: Hold
    told: list[Hold] = field(default_factory=list)

    def set(self, hold: Hold) -> bytes:
        self.told.append(hold)
        return PAGE

    def whole(self, hold: Hold) -> bytes:
        return pdf(self.record, COPY, self.inside, hold=hold)


@pytest.fixture(scope="module")
def papers(
    seeded_folder: Path, tmp_path_factory: pytest.TempPathFactory, tsa: LocalAuthority
) -> Papers:
    folder = tmp_path_factory.mktemp("stamps") / "plant"
    shutil.copytree(seeded_folder, folder)
    with open_floor(folder) as floor:
        batch = deviated(floor)
        record = read_record(floor.execution.ledger, batch)
        inside = attachments(floor.execution.ledger, record)
    keys = folder / "keys"
    made = Papers(keys, record, inside, b"", b"", Hold(until=AT))
    made.plain = Seal(keys, "tablets").put(made.set, record, "copy 1").body
    stamps = stamps_of(tsa)
    sealed = Seal(keys, "tablets", stamps).put(made.set, record, "copy 1")
    stamps.close()
    made.stamped, made.hold = sealed.body, sealed.hold
    return made


def seen(
    body: bytes, keys: Path, *authorities: LocalAuthority, after: timedelta
) -> dict[str, bool]:
    """Return for each seal whether it holds for a reader of then, by ETSI EN 319 102-1.

    The reader trusts the plant's authority and the time-stamp authorities, and demands proof that
    no signer's certificate was revoked. He knows the plant's list of today, in case the plant is
    gone by then, and those that the time-stamp authorities publish then.
    """
    paths = [keys / "seal-001" / "authority.pem", *(one.root for one in authorities)]
    roots = [x509.Certificate.load(pem.unarmor(path.read_bytes())[2]) for path in paths]
    at = datetime.now(UTC) + after
    told = [*revocation_lists(keys), *(none_revoked(one.folder, at) for one in authorities)]
    lists = [CRLContainer(crl.CertificateList.load(one)) for one in told]

    def policy(rule: RevocationCheckingRule) -> CertValidationPolicySpec:
        checks = RevocationCheckingPolicy(
            ee_certificate_rule=rule, intermediate_ca_cert_rule=RevocationCheckingRule.CRL_REQUIRED
        )
        return CertValidationPolicySpec(
            trust_manager=SimpleTrustManager.build(trust_roots=roots),
            revinfo_policy=CertRevTrustPolicy(checks),
        )

    spec = PdfSignatureValidationSpec(
        SignatureValidationSpec(
            cert_validation_policy=policy(RevocationCheckingRule.CRL_REQUIRED),
            ts_cert_validation_policy=policy(RevocationCheckingRule.CHECK_IF_DECLARED),
            revinfo_gathering_policy=RevocationInfoGatheringSpec(
                online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY
            ),
            local_knowledge=LocalKnowledge(known_crls=lists),
        )
    )
    when = ValidationTimingInfo(at, at, point_in_time_validation=False)
    found = {}
    for one in PdfFileReader(BytesIO(body)).embedded_regular_signatures:
        result = asyncio.run(ades_lta_validation(one, spec, timing_info=when))
        print(one.field_name, after.days, result.ades_subindic, result.failure_msg)
        found[str(one.field_name)] = result.ades_subindic is AdESPassed.OK
    return found


def at_its_stamp(
    body: bytes, keys: Path, tsa: LocalAuthority, *, after: timedelta
) -> dict[str, bool]:
    """Return whether the seals held when the whole file was stamped, if that stamp holds then."""
    reader, then = PdfFileReader(BytesIO(body)), datetime.now(UTC) + after
    for stamp in reader.embedded_timestamp_signatures[:1]:
        told = validate_pdf_timestamp(stamp, authority(keys, tsa.root, at=then))
        assert told.intact, stamp.field_name
        if told.valid and told.trusted:
            return holding(body, keys, tsa.root, at=told.timestamp)
    return {}


def stamps_in(one: EmbeddedPdfSignature) -> int:
    """Return how many time stamps a seal bears itself."""
    return len(list(extract_tst_data_iter(one.signer_info, signed=False)))


def all_seals(*, hold: bool) -> dict[str, bool]:
    return dict.fromkeys(SEALS, hold)


@pytest.mark.requirement("H8")
def test_stamped_seals_hold_after_their_certificates_have_ended_and_plain_ones_do_not(
    papers: Papers, tsa: LocalAuthority
) -> None:
    then = datetime.now(UTC) + IN_3_YEARS
    assert holding(papers.plain, papers.keys) == all_seals(hold=True)
    assert holding(papers.plain, papers.keys, at=then) == all_seals(hold=False)
    assert seen(papers.plain, papers.keys, tsa, after=IN_3_YEARS) == all_seals(hold=False)
    for after in (NOW, IN_3_YEARS):
        assert seen(papers.stamped, papers.keys, tsa, after=after) == all_seals(hold=True)
    assert seen(papers.stamped, papers.keys, after=IN_3_YEARS) == all_seals(hold=False), "no trust"
    assert seen(papers.stamped, papers.keys, tsa, after=IN_6_YEARS) == all_seals(hold=False)


def test_paper_says_until_when_its_seals_can_be_checked(papers: Papers) -> None:
    assert papers.hold.stamped_by == "127.0.0.1"
    assert abs(papers.hold.until - datetime.now(UTC) - timedelta(days=1825)) < timedelta(hours=1)
    year = papers.hold.until.year
    stamped = text_of(papers.whole(papers.hold))
    assert f"time-stampedby127.0.0.1.Theycanbecheckeduntil{year}-" in stamped
    plain = text_of(papers.whole(Seal(papers.keys, "tablets").hold()))
    assert f"havenotimestamp:{NO_AUTHORITY.replace(' ', '')}.Theycanbecheckeduntil" in plain


def test_stamped_file_is_whole_for_a_reader_of_today_and_each_seal_has_its_own_stamp(
    papers: Papers, tsa: LocalAuthority
) -> None:
    assert holding(papers.stamped, papers.keys, tsa.root) == all_seals(hold=True)
    assert holding(papers.stamped, papers.keys) == all_seals(hold=False), "the stamps' root too"
    reader = PdfFileReader(BytesIO(papers.stamped))
    assert [stamps_in(one) for one in reader.embedded_regular_signatures] == [1, 1, 1]
    assert [one.field_name for one in reader.embedded_timestamp_signatures] == ["archive"]
    assert len(reader.root["/DSS"]["/CRLs"]) == 2, "of the plant's authority, and of the stamps'"
    names = {one.subject.native["common_name"] for one in DSS.read_dss(reader).load_certs()}
    assert names == {
        "Quinn Marsh", "Batchwright plant tablets, record seal",
        "Batchwright plant tablets, authority", "Alpha unit", "Alpha root",
    }  # fmt: skip


def test_plain_file_that_is_stamped_later_holds_as_long_and_nothing_of_it_changes(
    papers: Papers, tsa: LocalAuthority, later_tsa: LocalAuthority
) -> None:
    first = Seal(papers.keys, "tablets", stamps_of(tsa)).stamped_later(papers.plain)
    assert first.body.startswith(papers.plain)
    # The first seals have no stamp of their own, the one that was added covers them and has one.
    added = all_seals(hold=False) | {"plant-2": True}
    assert seen(first.body, papers.keys, tsa, after=IN_3_YEARS) == added
    assert not any(seen(first.body, papers.keys, tsa, after=IN_6_YEARS).values())
    assert at_its_stamp(first.body, papers.keys, tsa, after=IN_3_YEARS) == added | all_seals(
        hold=True
    )
    assert at_its_stamp(papers.plain, papers.keys, tsa, after=IN_3_YEARS) == {}
    # Before that authority's certificate ends, another's goes on from it.
    second = Seal(papers.keys, "tablets", stamps_of(later_tsa, tsa)).stamped_later(first.body)
    assert second.body.startswith(first.body)
    assert second.hold.until - first.hold.until > timedelta(days=3000)
    both = (tsa, later_tsa)
    assert seen(second.body, papers.keys, *both, after=IN_6_YEARS) == added
    extended = Seal(papers.keys, "tablets", stamps_of(later_tsa, tsa)).stamped_later(papers.stamped)
    assert seen(extended.body, papers.keys, *both, after=IN_6_YEARS) == all_seals(hold=True)


@pytest.mark.parametrize("what", ["no PDF", "no seal", "a flipped bit", "another plant"])
def test_only_a_whole_file_of_this_plant_is_stamped_later(
    papers: Papers, tsa: LocalAuthority, tmp_path: Path, what: str
) -> None:
    flipped = bytearray(papers.plain)
    flipped[len(flipped) // 3] ^= 1
    other = Seal(tmp_path, "other").put(papers.set, papers.record, "copy 1").body
    bodies = {
        "no PDF": b"hello", "no seal": papers.set(papers.hold), "a flipped bit": bytes(flipped),
        "another plant": other,
    }  # fmt: skip
    asked = tsa.asked
    with pytest.raises(NotOurs, match="It gets no time stamp"):
        Seal(papers.keys, "tablets", stamps_of(tsa)).stamped_later(bodies[what])
    assert tsa.asked == asked


def test_verapdf_accepts_stamped_files(papers: Papers, tsa: LocalAuthority, tmp_path: Path) -> None:
    seal = Seal(papers.keys, "tablets", stamps_of(tsa))
    bodies = {
        "stamped": seal.put(papers.whole, papers.record, "copy 1").body,
        "by the plant alone": seal.around(papers.whole, (), reason="r", location="l").body,
        "later": seal.stamped_later(papers.plain).body,
        "again": seal.stamped_later(papers.stamped).body,
    }
    for name, body in bodies.items():
        (tmp_path / name).write_bytes(body)
    for one in judged(*(tmp_path / name for name in bodies)):
        assert one["broken"] == [], one["file"]
        assert one["compliant"]


# -- an authority that gives none stops nothing --------------------------------------------------


class Ending:
    """A real authority that falls silent after so many answers."""

    def __init__(self, real: FileStamps, left: int) -> None:
        self.place, self.trusted, self._real, self._left = real.place, real.trusted, real, left

    def revocations(self, certificates: Sequence[bytes]) -> list[bytes]:
        return self._real.revocations(certificates)

    def answer(self, request: bytes, digest: bytes, nonce: int) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise MesError("silent")
        return self._real.answer(request, digest, nonce)


def unstamped(papers: Papers, stamps: Stamps) -> None:
    """Seal with an authority that gives nothing; the file must be as whole as without one."""
    sealed = Seal(papers.keys, "tablets", stamps).put(papers.set, papers.record, "copy 1")
    assert sealed.hold.stamped_by == ""
    assert sealed.hold.why == "the authority 127.0.0.1 gave none"
    assert holding(sealed.body, papers.keys) == all_seals(hold=True)
    assert papers.told[-1] == sealed.hold, "what the paper says"
    reader = PdfFileReader(BytesIO(sealed.body))
    assert [one.field_name for one in reader.embedded_signatures] == SEALS
    assert [stamps_in(one) for one in reader.embedded_signatures] == [0, 0, 0]


@pytest.mark.parametrize("answers", [0, 1, 3, 4])
def test_authority_that_falls_silent_at_any_moment_leaves_a_whole_file_without_stamps(
    papers: Papers, tsa: LocalAuthority, answers: int
) -> None:
    unstamped(papers, Ending(stamps_of(tsa), answers))


@pytest.mark.parametrize("fault", ["down", "flip"])
def test_authority_that_gives_no_stamp_that_holds_stops_nothing(
    papers: Papers, tsa: LocalAuthority, fault: str
) -> None:
    tsa.fault = fault
    try:
        unstamped(papers, stamps_of(tsa))
    finally:
        tsa.fault = ""


def test_list_that_is_not_there_is_left_out_and_not_asked_for_at_once_again(
    papers: Papers, tsa: LocalAuthority
) -> None:
    stamps, asked, tsa.fault = stamps_of(tsa), tsa.lists, "no list"
    seal = Seal(papers.keys, "tablets", stamps)
    try:
        both = [seal.put(papers.set, papers.record, "copy 1") for _ in range(2)]
    finally:
        tsa.fault = ""
    for sealed in both:
        assert sealed.hold.stamped_by == "127.0.0.1"
        assert len(PdfFileReader(BytesIO(sealed.body)).root["/DSS"]["/CRLs"]) == 1
    assert tsa.lists == asked + 1
    assert seen(both[-1].body, papers.keys, tsa, after=IN_3_YEARS) == all_seals(hold=True)


def test_authority_that_leads_to_other_roots_is_not_taken(
    papers: Papers, tsa: LocalAuthority, later_tsa: LocalAuthority
) -> None:
    trusted = certificates(later_tsa.root)
    unstamped(papers, FileStamps(Authority(address=tsa.address, trusted=trusted)))


def test_slow_authority_is_waited_for_once_and_left_alone_for_a_minute(
    papers: Papers, tsa: LocalAuthority
) -> None:
    at = [0.0]
    named = Authority(address=tsa.address, trusted=certificates(tsa.root))
    stamps = FileStamps(named, within_s=SLOW_S / 5, clock=lambda: at[0])
    asked, tsa.fault = tsa.asked, "slow"
    try:
        begun = time.perf_counter()
        unstamped(papers, stamps)
        first = time.perf_counter() - begun
        assert tsa.asked == asked + 1
        at[0] = REST_S - 0.1
        unstamped(papers, stamps)
        assert tsa.asked == asked + 1
    finally:
        tsa.fault = ""
    print(f"{first:.2f} s with an authority that needs {SLOW_S} s")
    at[0] = REST_S + 0.1
    sealed = Seal(papers.keys, "tablets", stamps).put(papers.set, papers.record, "copy 1")
    assert sealed.hold.stamped_by == "127.0.0.1"


def test_fault_of_the_plants_own_keys_is_no_matter_of_the_authority(
    papers: Papers, tsa: LocalAuthority, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    shutil.copytree(papers.keys, keys)
    (keys / "seal-001" / "signer.key").write_text("none")
    with pytest.raises(OSError, match=r"Restore DATA/keys"):
        Seal(keys, "tablets", stamps_of(tsa)).around(papers.set, (), reason="r", location="l")

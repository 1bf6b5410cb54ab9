import base64
import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from core.clock import now, parse_iso
from erp.errors import SignatureRefused
from erp.signing import Keys, new_secret, sign, verify

AT = parse_iso("2026-11-23T05:44:40.900000Z")
OLD, NEW = new_secret(), new_secret()


@pytest.mark.requirement("K3")
@given(body=st.text().map(str.encode))
def test_our_signature_is_the_standard_one(body: bytes) -> None:
    at = now()
    headers = sign(Keys.of([NEW]), "evt_1", at=at, body=body)
    assert headers["webhook-signature"] == Webhook(NEW).sign("evt_1", at, body.decode())
    Webhook(NEW).verify(body, headers, json_parse=False)


@pytest.mark.requirement("K3")
def test_a_standard_signature_is_accepted_by_us() -> None:
    mark = Webhook(NEW).sign("evt_1", AT, "{}")
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(AT.timestamp())),
        "webhook-signature": mark,
    }
    assert verify(Keys.of([NEW]), headers, at=AT, body=b"{}") == "evt_1"


@pytest.mark.requirement("K3")
def test_two_live_keys_pass_at_a_receiver_that_knows_one_of_them() -> None:
    headers = sign(Keys.of([NEW, OLD]), "evt_1", at=now(), body=b"{}")
    for known in (OLD, NEW):
        assert verify(Keys.of([known]), headers, at=now(), body=b"{}") == "evt_1"
        Webhook(known).verify(b"{}", headers)


def test_a_key_that_is_no_longer_live_is_refused_as_the_oracle_refuses_it() -> None:
    headers = sign(Keys.of([NEW]), "evt_1", at=now(), body=b"{}")
    with pytest.raises(SignatureRefused, match="no signature matches a live key"):
        verify(Keys.of([OLD]), headers, at=now(), body=b"{}")
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(b"{}", headers)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_signature_is_good_for_300_s_to_either_side(seconds: int) -> None:
    headers = sign(Keys.of([NEW]), "evt_1", at=AT, body=b"{}")
    assert verify(Keys.of([NEW]), headers, at=AT + timedelta(seconds=seconds), body=b"{}")


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_signature_older_or_younger_than_300_s_is_refused(seconds: int) -> None:
    headers = sign(Keys.of([NEW]), "evt_1", at=AT, body=b"{}")
    with pytest.raises(SignatureRefused) as refusal:
        verify(Keys.of([NEW]), headers, at=AT + timedelta(seconds=seconds), body=b"{}")
    assert str(refusal.value) == (
        "Message evt_1: signed more than 300 s away from this clock."
        " Check secrets and clocks of both sides."
    )


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "evt_2"},
        {"webhook-id": "evt_1.5"},
        {"webhook-timestamp": "1795412679"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,not base64"},
        {"webhook-signature": "v2," + "A" * 44},
        {"webhook-signature": ""},
    ],
)
def test_a_changed_or_malformed_header_is_refused(change: dict[str, str]) -> None:
    headers = {**sign(Keys.of([NEW]), "evt_1", at=AT, body=b"{}"), **change}
    with pytest.raises(SignatureRefused):
        verify(Keys.of([NEW]), headers, at=AT, body=b"{}")


@given(body=st.binary(min_size=1, max_size=200), data=st.data())
def test_one_flipped_bit_of_the_body_is_refused(body: bytes, data: st.DataObject) -> None:
    headers = sign(Keys.of([NEW]), "evt_1", at=AT, body=body)
    at = data.draw(st.integers(0, len(body) * 8 - 1))
    changed = bytearray(body)
    changed[at // 8] ^= 1 << at % 8
    with pytest.raises(SignatureRefused):
        verify(Keys.of([NEW]), headers, at=AT, body=bytes(changed))


@pytest.mark.parametrize("size", [23, 65])
def test_a_key_shorter_than_24_or_longer_than_64_bytes_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes"):
        Keys.of(["whsec_" + base64.b64encode(bytes(size)).decode()])


@pytest.mark.parametrize("size", [24, 64])
def test_a_key_of_24_to_64_bytes_is_taken(size: int) -> None:
    assert Keys.of(["whsec_" + base64.b64encode(bytes(size)).decode()])


def test_keys_do_not_show_in_their_text() -> None:
    assert not re.search(r"b'|b\"", repr(Keys.of([NEW])))


def test_a_naive_time_is_never_signed() -> None:
    with pytest.raises(TypeError, match="naive time"):
        sign(Keys.of([NEW]), "evt_1", at=AT.replace(tzinfo=None), body=b"{}")

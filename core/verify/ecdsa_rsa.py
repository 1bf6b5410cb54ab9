"""What passkeys and sign-in providers sign with: ECDSA (FIPS 186-5, 6.4.2) and RSA (RFC 8017)."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple


class Curve(NamedTuple):
    """y^2 = x^3 - 3x + b over a prime field, with a point g of prime order."""

    p: int
    b: int
    g: tuple[int, int]
    order: int


def hexed(text: str) -> int:
    return int(text.replace(" ", ""), 16)


P256 = Curve(
    2**256 - 2**224 + 2**192 + 2**96 - 1,
    hexed("5ac635d8 aa3a93e7 b3ebbd55 769886bc 651d06b0 cc53b0f6 3bce3c3e 27d2604b"),
    (
        hexed("6b17d1f2 e12c4247 f8bce6e5 63a440f2 77037d81 2deb33a0 f4a13945 d898c296"),
        hexed("4fe342e2 fe1a7f9b 8ee7eb4a 7c0f9e16 2bce3357 6b315ece cbb64068 37bf51f5"),
    ),
    hexed("ffffffff 00000000 ffffffff ffffffff bce6faad a7179e84 f3b9cac2 fc632551"),
)
P384 = Curve(
    2**384 - 2**128 - 2**96 + 2**32 - 1,
    hexed(
        "b3312fa7 e23ee7e4 988e056b e3f82d19 181d9c6e fe814112 0314088f 5013875a"
        "c656398d 8a2ed19d 2a85c8ed d3ec2aef"
    ),
    (
        hexed(
            "aa87ca22 be8b0537 8eb1c71e f320ad74 6e1d3b62 8ba79b98 59f741e0 82542a38"
            "5502f25d bf55296c 3a545e38 72760ab7"
        ),
        hexed(
            "3617de4a 96262c6f 5d9e98bf 9292dc29 f8f41dbd 289a147c e9da3113 b5f0b8c0"
            "0a60b1ce 1d7e819d 7a431d7c 90ea0e5f"
        ),
    ),
    hexed(
        "ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff c7634d81 f4372ddf"
        "581a0db2 48b0a77a ecec196a ccc52973"
    ),
)
P521 = Curve(
    2**521 - 1,
    hexed(
        "0051 953eb961 8e1c9a1f 929a21a0 b68540ee a2da725b 99b315f3 b8b48991 8ef109e1"
        "56193951 ec7e937b 1652c0bd 3bb1bf07 3573df88 3d2c34f1 ef451fd4 6b503f00"
    ),
    (
        hexed(
            "00c6 858e06b7 0404e9cd 9e3ecb66 2395b442 9c648139 053fb521 f828af60 6b4d3dba"
            "a14b5e77 efe75928 fe1dc127 a2ffa8de 3348b3c1 856a429b f97e7e31 c2e5bd66"
        ),
        hexed(
            "0118 39296a78 9a3bc004 5c8a5fb4 2c7d1bd9 98f54449 579b4468 17afbd17 273e662c"
            "97ee7299 5ef42640 c550b901 3fad0761 353c7086 a272c240 88be9476 9fd16650"
        ),
    ),
    hexed(
        "01ff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff fffffffa"
        "51868783 bf2f966b 7fcc0148 f709a5d0 3bb5c9b8 899c47ae bb6fb71e 91386409"
    ),
)
CURVES = {"P-256": P256, "P-384": P384, "P-521": P521}


def curve_add(curve: Curve, one: Any, other: Any) -> Any:
    """The sum of two points, None for the neutral one."""
    if one is None or other is None:
        return other if one is None else one
    (x, y), (x2, y2), p = one, other, curve.p
    if x == x2:
        if (y + y2) % p == 0:
            return None
        slope = (3 * x * x - 3) * pow(2 * y, -1, p)
    else:
        slope = (y2 - y) * pow(x2 - x, -1, p)
    x3 = (slope * slope - x - x2) % p
    return x3, (slope * (x - x3) - y) % p


def ecdsa_holds(
    curve: Curve, key: tuple[int, int], pair: tuple[int, int], *, digest: bytes
) -> bool:
    """Whether r, s were made over this digest with the private half of a point."""
    (x, y), (r, s) = key, pair
    on_curve = (y * y - x * x * x + 3 * x - curve.b) % curve.p == 0
    if not (on_curve and 0 <= x < curve.p and 0 <= y < curve.p):
        return False
    if not (0 < r < curve.order and 0 < s < curve.order):
        return False
    z = int.from_bytes(digest, "big") >> max(0, len(digest) * 8 - curve.order.bit_length())
    inverse = pow(s, -1, curve.order)
    u, v = z * inverse % curve.order, r * inverse % curve.order
    steps = (None, curve.g, key, curve_add(curve, curve.g, key))
    total: Any = None
    for bit in range(curve.order.bit_length() - 1, -1, -1):
        total = curve_add(curve, total, total)
        total = curve_add(curve, total, steps[(u >> bit & 1) + 2 * (v >> bit & 1)])
    return total is not None and total[0] % curve.order == r


def der_pair(blob: bytes) -> tuple[int, int]:
    """The r and s of a signature in DER: a sequence of two integers, spelled the shortest way."""
    numbers: list[int] = []
    rest = blob[2:] if len(blob) < 130 else blob[3:]
    while rest and len(numbers) < 2:
        end = 2 + rest[1]
        numbers.append(int.from_bytes(rest[2:end], "big"))
        rest = rest[end:]
    body = b"".join(der_integer(number) for number in numbers)
    length = bytes([len(body)]) if len(body) < 128 else bytes([0x81, len(body)])
    if len(numbers) != 2 or b"\x30" + length + body != blob:
        raise ValueError("the signature is no DER of two numbers")
    return numbers[0], numbers[1]


def der_integer(number: int) -> bytes:
    body = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return b"\x02" + bytes([len(body)]) + body


DIGEST_INFO = {
    "sha256": "3031300d060960864801650304020105000420",
    "sha384": "3041300d060960864801650304020205000430",
    "sha512": "3051300d060960864801650304020305000440",
}


def rsa_block(n: int, e: int, signature: bytes) -> bytes:
    """What the signer padded, as long as the modulus; empty where the length is another."""
    size = (n.bit_length() + 7) // 8
    number = int.from_bytes(signature, "big")
    if len(signature) != size or number >= n or e < 3:
        return b""
    return pow(number, e, n).to_bytes(size, "big")


def rsa_holds(n: int, e: int, signature: bytes, *, message: bytes, hashed: str) -> bool:
    """Whether a signature of the older form (PKCS #1 v1.5) holds."""
    block = rsa_block(n, e, signature)
    told = bytes.fromhex(DIGEST_INFO[hashed]) + hashlib.new(hashed, message).digest()
    filled = b"\xff" * (len(block) - len(told) - 3)
    return len(filled) >= 8 and block == b"\x00\x01" + filled + b"\x00" + told


def pss_holds(n: int, e: int, signature: bytes, *, message: bytes, hashed: str) -> bool:
    """Whether a signature of the newer form (PSS) holds, its mask by the same hash."""
    bits, block = n.bit_length() - 1, rsa_block(n, e, signature)
    if bits % 8 == 0:
        block = block[1:] if block[:1] == b"\0" else b""
    spare, size = 8 * len(block) - bits, hashlib.new(hashed).digest_size
    masked, found = block[: -size - 1], block[-size - 1 : -1]
    if block[-1:] != b"\xbc" or not masked:
        return False
    mask = b"".join(
        hashlib.new(hashed, found + number.to_bytes(4, "big")).digest()
        for number in range(len(masked) // size + 1)
    )
    opened = bytearray(left ^ right for left, right in zip(masked, mask))
    if masked[0] >> (8 - spare):
        return False
    opened[0] &= 0xFF >> spare
    zeros, one, salt = bytes(opened).partition(b"\x01")
    digest = hashlib.new(hashed, message).digest()
    told = hashlib.new(hashed, bytes(8) + digest + salt).digest()
    return bool(one) and not any(zeros) and told == found

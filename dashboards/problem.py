"""An answer of the REST interface that is no success: a problem document, RFC 9457."""

import msgspec
from fastapi.responses import Response

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An answer that is no success: status, kind, sentence and facts."""

    def __init__(
        self, status: int, kind: str, detail: str, *, retry_after_s: int = 0, **facts: object
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail, self.facts = status, kind, detail, facts
        self.headers = {"retry-after": str(retry_after_s)} if retry_after_s else {}

    def body(self) -> bytes:
        """Return the problem document."""
        return msgspec.json.encode(
            {
                "type": f"/help/api#{self.kind}",
                "title": self.kind.replace("-", " ").capitalize(),
                "status": self.status,
                "detail": self.detail,
                **self.facts,
            }
        )

    def response(self) -> Response:
        """Return the answer that carries it."""
        return Response(self.body(), self.status, self.headers, media_type=MEDIA_TYPE)

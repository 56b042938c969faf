"""The incremental update that signs a certificate: that it adds the issuer's signature to the drawn file, and nothing.

A PDF may end in an update that replaces any object before it, pages included, and every byte of that would be covered
by the signature. So the update is not searched for what we want: from the file before it and its free parts (container,
byte range, signing time, file id) the one update that our signer writes is built anew, and the bytes must be equal.
Then every object of the base is unchanged, but for the catalogue, which gains the form and the permissions, and the
first page, which gains one invisible field.

Only the classic cross-reference table is read, for both parts are written with one: there are no object streams here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import NoReturn

from certificates.container import SignedBytes
from ledger.errors import MalformedProofError, problem

FIELD_NAME = "IssuerSignature"

_MAX_OBJECT_BYTES = 20_000
_MAX_DEPTH = 10
_CATALOGUE = 1
"""Number of the catalogue: the base's writer begins with it."""

_UPDATE_TABLE = re.compile(rb"xref\n0 [23]\n0000000000 65535 f \n([0-9]{10}) 00000 n \n")
_END = re.compile(rb"startxref\n([1-9][0-9]{0,9})\n%%EOF\n\Z")
_SECOND_ID = re.compile(rb"/ID \[ <[0-9a-f]{32}> <([0-9a-f]{32})> \]\n")
_BASE_END = re.compile(
    rb"trailer << ((?:/Info [1-9][0-9]* 0 R )?)/Root 1 0 R /Size ([1-9][0-9]{0,6}) "
    rb"/ID \[<([0-9a-f]{32})><[0-9a-f]{32}>\] >>\nstartxref\n([1-9][0-9]{0,9})\n%%EOF\n\Z"
)
_BASE_TABLE = re.compile(rb"xref\n0 ([1-9][0-9]*)\n0000000000 65535 f \n((?:[0-9]{10} 00000 n \n)*)")
_ENTRY_BYTES = 20
_TOKEN = re.compile(
    rb"[ \n]*(<<|>>|\[|\]|/[A-Za-z0-9]+|[0-9]+ 0 R|-?[0-9]+(?:\.[0-9]+)?|true|false|\([A-Za-z0-9 -]*\))"
    rb"(?=[ \n\[\]/<>(]|\Z)"
)
_OURS = (b"/AcroForm", b"/Extensions", b"/Perms", b"/Annots")
"""What the update adds to catalogue and page, so what the base must not have."""


def base_length(pdf: bytes, covered: SignedBytes) -> int:
    """Length of the file before the update, in bytes, if the update is exactly the one of our signer.

    covered: what the signature was found to cover.
    Raises: MalformedProofError if it is another, or the file before it has not one simple cross-reference table.
    """
    end = _END.search(pdf, max(0, len(pdf) - 100))
    if end is None:
        _broken(pdf[-40:], "startxref, the place of the cross-reference table, and the end of the file")
    table = _UPDATE_TABLE.match(pdf, int(end[1]))
    if table is None:
        _broken(pdf[int(end[1]) : int(end[1]) + 60], "a cross-reference table that begins with the catalogue")
    start = int(table[1])
    base = _Base(pdf[:start])
    found = pdf[start:]
    # pyHanko leaves one object number out.
    if found not in (_build(base, base.size + 1, pdf, covered), _build(base, base.size, pdf, covered)):
        _broken(f"{len(found)} other bytes after the drawn file", "exactly what signing adds: form, field, signature")
    return start


class _Base:
    """The file before the update, as far as the update depends on it.

    size: number of its objects, the free one included. info: its trailer's /Info entry, or nothing. file_id: in hex.
    table_at: where its cross-reference table stands.
    """

    def __init__(self, data: bytes) -> None:
        end = _BASE_END.search(data, max(0, len(data) - 400))
        if end is None:
            _broken(data[-60:], "a drawn file with one cross-reference table and trailer")
        self.data = data
        self.info, self.size, self.file_id, self.table_at = end[1], int(end[2]), end[3], int(end[4])
        table = _BASE_TABLE.fullmatch(data, self.table_at, end.start())
        if table is None or int(table[1]) != self.size or len(table[2]) != (self.size - 1) * _ENTRY_BYTES:
            _broken(f"another table than of {self.size} objects", "a drawn file with one cross-reference table")
        self._entries = table[2]

    def tokens_of(self, number: int) -> list[bytes]:
        """The tokens of an object that is a dictionary of plain values. Raises: MalformedProofError if it is not."""
        if not 1 <= number < self.size:
            _broken(f"object {number}", f"an object from 1 to {self.size - 1}")
        place = (number - 1) * _ENTRY_BYTES
        at = int(self._entries[place : place + 10])
        head = b"%d 0 obj\n" % number
        stop = self.data.find(b"\nendobj\n", at, at + _MAX_OBJECT_BYTES)
        if not self.data.startswith(head, at) or stop < 0:
            _broken(self.data[at : at + 40], f"object {number} where the table says")
        tokens, at = [], at + len(head)
        while at < stop:
            token = _TOKEN.match(self.data, at, stop)
            if token is None:
                _broken(self.data[at : at + 40], "plain names, numbers, references and texts")
            tokens.append(token[1])
            at = token.end()
        if len(tokens) < 2 or (tokens[0], tokens[-1]) != (b"<<", b">>") or not set(_OURS).isdisjoint(tokens):
            _broken(f"object {number}", "a dictionary without form, permissions or annotations of its own")
        return tokens

    def first_page(self, catalogue: list[bytes]) -> int:
        """Number of the first page."""
        pages = self.tokens_of(_reference(catalogue, b"/Pages", 1))
        return _reference(pages, b"/Kids", 2)


def _reference(tokens: list[bytes], key: bytes, distance: int) -> int:
    """The object that the token so far after `key` names."""
    if tokens.count(key) != 1:
        _broken(f"{tokens.count(key)} times {key.decode('ascii')}", "once")
    at = tokens.index(key) + distance
    if at >= len(tokens) or not tokens[at].endswith(b" 0 R"):
        _broken(key, "a reference to an object")
    return int(tokens[at].split()[0])


def _build(base: _Base, form: int, pdf: bytes, covered: SignedBytes) -> bytes:
    """The update that our signer writes after `base`; the form and what follows it have numbers from `form` on."""
    field, signature = form + 1, form + 2
    catalogue = base.tokens_of(_CATALOGUE)
    page = base.first_page(catalogue)
    second_id = _SECOND_ID.search(pdf, len(base.data) + len(pdf[covered.gap]))
    if second_id is None:
        _broken("no file id", "a trailer with a file id")
    objects = {
        _CATALOGUE: _with(
            catalogue,
            b"/AcroForm %d 0 R\n/Extensions <<\n/ESIC <<\n/Type /DeveloperExtensions\n/BaseVersion /1.7\n"
            b"/ExtensionLevel 1\n>>\n>>\n/Perms <<\n/DocMDP %d 0 R\n>>\n" % (form, signature),
        ),
        page: _with(base.tokens_of(page), b"/Annots [ %d 0 R ]\n" % field),
        form: b"<<\n/Fields [ %d 0 R ]\n/SigFlags 3\n>>" % field,
        field: b"<<\n/FT /Sig\n/T (%s)\n/Type /Annot\n/Subtype /Widget\n/F 132\n/Rect [ 0 0 0 0 ]\n/P %d 0 R\n"
        b"/V %d 0 R\n>>" % (FIELD_NAME.encode("ascii"), page, signature),
        signature: _signature(pdf, covered),
    }
    if len(objects) != 5:
        _broken(f"page {page}", "a page that is an object of its own")
    update = b""
    places = {}
    for number in sorted(objects):
        places[number] = len(base.data) + len(update)
        update += b"%d 0 obj\n%s\nendobj\n" % (number, objects[number])
    table_at = len(base.data) + len(update)
    return (
        update
        + _table(places)
        + b"trailer\n<<\n%s/Root %d 0 R\n/Size %d\n/ID [ <%s> <%s> ]\n/Prev %d\n>>\nstartxref\n%d\n%%%%EOF\n"
        % (
            base.info.replace(b" R ", b" R\n"), _CATALOGUE, signature + 1, base.file_id, second_id[1], base.table_at,
            table_at,
        )
    )  # fmt: skip


def _signature(pdf: bytes, covered: SignedBytes) -> bytes:
    byte_range = b"[%d %d %d %d]" % covered.byte_range
    return (
        b"<<\n/Contents %s\n/ByteRange %s\n/Type /Sig\n/Filter /Adobe.PPKLite\n/SubFilter /ETSI.CAdES.detached\n"
        b"/M (D\\072%sZ)\n/Reference [ <<\n/Type /SigRef\n/TransformMethod /DocMDP\n/TransformParams <<\n"
        b"/Type /TransformParams\n/V /1.2\n/P 2\n>>\n>> ]\n>>"
        % (pdf[covered.gap], byte_range.ljust(62), f"{covered.signed_at:%Y%m%d%H%M%S}".encode("ascii"))
    )


def _table(places: dict[int, int]) -> bytes:
    """The cross-reference table: a section for each run of numbers; object 0 is the free one."""
    lines = {0: b"0000000000 65535 f \n", **{number: b"%010d 00000 n \n" % at for number, at in places.items()}}
    table = b"xref\n"
    for number in sorted(lines):
        if number - 1 not in lines:
            last = number
            while last + 1 in lines:
                last += 1
            table += b"%d %d\n" % (number, last - number + 1)
        table += lines[number]
    return table


def _with(dictionary: list[bytes], added: bytes) -> bytes:
    """The dictionary as our signer writes it, with entries added at its end."""
    tokens = iter(dictionary)
    written = _written(tokens, 0)
    if next(tokens, None) is not None:
        _broken("more after it", "one dictionary")
    return written.removesuffix(b">>") + added + b">>"


def _written(tokens: Iterator[bytes], depth: int) -> bytes:
    """The next value of the tokens as our signer writes it. Raises: MalformedProofError if there is none whole."""
    token = next(tokens, b"")
    if token in (b"", b">>", b"]") or depth > _MAX_DEPTH:
        _broken(token, "a plain value, whole")
    if token == b"<<":
        lines = b""
        while (key := next(tokens, b"")) != b">>":
            if not key.startswith(b"/"):
                _broken(key, "a name")
            lines += key + b" " + _written(tokens, depth + 1) + b"\n"
        return b"<<\n" + lines + b">>"
    if token == b"[":
        items = []
        while (following := next(tokens, b"")) != b"]":
            items.append(_written(chain([following], tokens), depth + 1))
        return b"[ " + b" ".join(items) + b" ]"
    return token


def _broken(found: object, expected: str) -> NoReturn:
    raise MalformedProofError(problem("", found, expected, "Get the file again from its issuer, unchanged."))

"""Archives for schemathesis to upload: no archive at all, a broken one, and whole ones with names
that nobody should unpack."""

import gzip
import io
import tarfile

import schemathesis
from hypothesis import strategies as st

NAMES = ["PANDIUM.yaml", "src/a", "../a", "/a", "a/../../b", ".git/config", "a" * 300, "\u00e9", ""]
KINDS = [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
MANIFEST = b'version: 1.0\nbase: python:3.11\nrun: "true"\n'


def member(archive, name, kind, content):
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.linkname = content.decode("latin-1")[:100].replace("\0", "")
    entry.size = len(content) if kind == tarfile.REGTYPE else 0
    archive.addfile(entry, io.BytesIO(content))


def archive(members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as made:
        for name, kind, content in members:
            member(made, name, kind, content)
    return file.getvalue()


contents = st.one_of(st.just(MANIFEST), st.binary(max_size=200))
members = st.tuples(st.sampled_from(NAMES), st.sampled_from(KINDS), contents)
whole = st.lists(members, max_size=4).map(archive)
broken = whole.map(lambda file: file[: len(file) // 2])
packed = st.binary(max_size=200).map(gzip.compress)
schemathesis.openapi.media_type(
    "application/gzip", st.one_of(st.binary(max_size=200), packed, whole, broken)
)

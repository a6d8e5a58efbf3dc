"""When the pages are built again, and what is laid beside them."""

import gzip
from pathlib import Path

import pytest

from core.errors import UserError
from deploy import pages


@pytest.fixture
def web(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.ts").write_text("let n = 1", encoding="utf-8")
    return folder


def test_a_changed_a_new_and_a_renamed_source_each_make_a_build_due(web: Path) -> None:
    marks = [pages.fingerprint(web)]
    (web / "src" / "main.ts").write_text("let n = 2", encoding="utf-8")
    marks.append(pages.fingerprint(web))
    (web / "src" / "more.ts").write_text("", encoding="utf-8")
    marks.append(pages.fingerprint(web))
    (web / "src" / "more.ts").rename(web / "src" / "less.ts")
    marks.append(pages.fingerprint(web))
    assert len(set(marks)) == 4


def test_installed_packages_are_no_source(web: Path) -> None:
    before = pages.fingerprint(web)
    (web / "node_modules" / "vue").mkdir(parents=True)
    (web / "node_modules" / "vue" / "index.js").write_text("", encoding="utf-8")
    assert pages.fingerprint(web) == before


def test_pages_stand_only_with_the_stamp_of_these_sources(web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "CACHE", tmp_path)
    built = tmp_path / "pages"
    assert not pages.stand(built, web)
    built.mkdir()
    (built / "index.html").write_text("", encoding="utf-8")
    (tmp_path / "pages.stamp").write_text(pages.fingerprint(web), encoding="ascii")
    assert pages.stand(built, web)
    (web / "src" / "main.ts").write_text("let n = 3", encoding="utf-8")
    assert not pages.stand(built, web)


def test_large_text_files_get_a_packed_copy_and_others_none(tmp_path: Path) -> None:
    (tmp_path / "large.js").write_text("a" * 5000, encoding="utf-8")
    (tmp_path / "small.js").write_text("a", encoding="utf-8")
    (tmp_path / "image.png").write_bytes(b"\0" * 5000)
    pages._pack(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"large.js", "large.js.gz", "small.js", "image.png"}
    assert gzip.decompress((tmp_path / "large.js.gz").read_bytes()) == b"a" * 5000


def test_what_npm_refuses_is_shown_to_the_person(web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "WEB", web)
    monkeypatch.setattr(pages, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    (web / "package.json").write_text('{"scripts": {"build": "echo src/main.ts is broken; exit 1"}}', encoding="utf-8")
    with pytest.raises(UserError) as refused:
        pages._npm("run", "--silent", "build")
    assert "src/main.ts is broken" in refused.value.en
    assert "pages.log" in refused.value.en

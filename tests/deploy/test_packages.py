"""Programs unpacked from packages without root: real apt and dpkg on a small archive of our own, nothing fetched from anywhere."""

import hashlib
import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from core.errors import UserError
from deploy.embedded import chromium_program
from deploy.embedded.packages import Packages, available

pytestmark = pytest.mark.skipif(not available() or shutil.which("dpkg-deb") is None, reason="no apt on this machine")

Package = Callable[..., None]
"""``package(name, needs="", version="2", **{path: text})``: one more package of the archive."""

BROWSER = """\
#!/bin/sh
for folder in $(echo "$LD_LIBRARY_PATH" | tr : ' '); do [ -e "$folder/libpaint.so.7" ] && library=found; done
[ "$library" = found ] && [ -e "$XDG_DATA_HOME/fonts/hei.ttc" ] && echo "Chromium 1.0 $1"
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """An archive in a folder, and an apt that knows it and nothing else. ``already`` is installed, in version 1."""
    archive, apt = tmp_path / "archive", tmp_path / "apt"
    for folder in (archive, apt / "lists" / "partial", apt / "cache" / "archives" / "partial"):
        folder.mkdir(parents=True)
    (apt / "status").write_text(
        "Package: already\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nMaintainer: us\n\n", encoding="utf-8"
    )
    (apt / "sources.list").write_text(f"deb [trusted=yes] file:{archive} ./\n", encoding="utf-8")
    (apt / "apt.conf").write_text(
        f'Dir::State "{apt}/"; Dir::State::status "{apt}/status"; Dir::Cache "{apt}/cache";\n'
        f'Dir::Etc::sourcelist "{apt}/sources.list"; Dir::Etc::sourceparts "-"; APT::Sandbox::User "";\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("APT_CONFIG", str(apt / "apt.conf"))

    def add(name: str, needs: str = "", version: str = "2", **files: str) -> None:
        content = tmp_path / name
        control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: us <us@example.invalid>\nDescription: {name}\n"
        control += f"Depends: {needs}\n" if needs else ""
        for path, text in {"DEBIAN/control": control, **files}.items():
            (content / path).parent.mkdir(parents=True, exist_ok=True)
            (content / path).write_text(text, encoding="utf-8")
            (content / path).chmod(0o755 if text.startswith("#!") else 0o644)
        built = archive / f"{name}.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", content, built], check=True, capture_output=True)
        blob = built.read_bytes()
        with (archive / "Packages").open("a", encoding="utf-8") as index:
            index.write(f"{control}Filename: ./{built.name}\nSize: {len(blob)}\nSHA256: {hashlib.sha256(blob).hexdigest()}\n\n")
        subprocess.run(["apt-get", "update"], check=True, capture_output=True, env={**os.environ, "LC_ALL": "C"})

    return add


@pytest.fixture
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which none is installed, and none can be fetched."""
    monkeypatch.setattr(chromium_program, "NAMES", ())
    monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", "http://127.0.0.1:9")


def test_what_is_missing_is_all_that_is_needed_and_not_installed(package: Package, tmp_path: Path) -> None:
    package("already")
    package("libdeep7")
    package("libpaint7", needs="libdeep7")
    package("brush", needs="libpaint7, already (>= 2)", **{"usr/bin/brush": "paint"})
    apt = Packages(tmp_path / "cache")
    # ``already`` would be brought to version 2: it is installed, and a second one of it is not put before the machine's own.
    assert sorted(apt.missing("brush")) == ["brush", "libdeep7", "libpaint7"]
    assert apt.missing("easel") == []
    assert apt.unpack(tmp_path / "there", "brush", "libdeep7")
    assert (tmp_path / "there/usr/bin/brush").read_text(encoding="utf-8") == "paint"
    assert not apt.unpack(tmp_path / "there", "brush", "easel")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.usefixtures("no_browser")
def test_the_browser_is_unpacked_with_its_libraries_and_the_font(package: Package, tmp_path: Path) -> None:
    package("libpaint7", **{"usr/lib/x86_64-linux-gnu/libpaint.so.7": ""})
    package("fonts-wqy-microhei", **{"usr/share/fonts/hei.ttc": ""})
    package("chromium-headless-shell", needs="libpaint7", **{"usr/lib/chromium/chromium-headless-shell": BROWSER})
    cache, said = tmp_path / "cache" / "chromium", list[str]()
    with pytest.raises(UserError):
        chromium_program.find(cache)
    found = chromium_program.obtain(cache, lambda zh, en: said.append(en))
    assert "3 / 3 packages" in said[-1]
    assert chromium_program.find(cache) == found
    # Another working directory, and the folder moved: what stands in the script is relative to the script.
    moved = cache.rename(tmp_path / "moved")
    done = subprocess.run([str(moved / "chromium"), "--mark"], cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout == "Chromium 1.0 --mark\n"


@pytest.mark.usefixtures("no_browser")
def test_a_browser_that_no_longer_starts_is_unpacked_anew(package: Package, tmp_path: Path) -> None:
    package("libpaint7", **{"usr/lib/x86_64-linux-gnu/libpaint.so.7": ""})
    package("fonts-wqy-microhei", **{"usr/share/fonts/hei.ttc": ""})
    package("chromium-headless-shell", needs="libpaint7", **{"usr/lib/chromium/chromium-headless-shell": BROWSER})
    cache, said = tmp_path / "cache" / "chromium", list[str]()
    chromium_program.obtain(cache)
    (cache / "usr/lib/x86_64-linux-gnu/libpaint.so.7").unlink()
    chromium_program.obtain(cache, lambda zh, en: said.append(en))
    assert said
    assert (cache / "usr/lib/x86_64-linux-gnu/libpaint.so.7").exists()
    said.clear()
    chromium_program.obtain(cache, lambda zh, en: said.append(en))
    assert said == []


@pytest.mark.usefixtures("no_browser")
def test_without_a_package_of_it_one_line_says_what_to_do(package: Package, tmp_path: Path) -> None:
    package("fonts-wqy-microhei")
    # Lists of our own come from where the machine's do: here from the archive, which has no browser.
    with pytest.raises(UserError, match="install Chromium or Chrome") as refused:
        chromium_program.obtain(tmp_path / "cache" / "chromium")
    assert "\n" not in refused.value.en + refused.value.zh
    assert not (tmp_path / "cache" / "chromium").exists()


class Shelf(BaseHTTPRequestHandler):
    """Where a driver fetches its browser from: whatever it asks for is an archive with a program that says a version."""

    def do_GET(self) -> None:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as packed:
            for name in ("chrome-linux64/chrome", "chrome-linux/chrome", "ffmpeg-linux"):
                program = zipfile.ZipInfo(name)
                program.external_attr = 0o755 << 16
                packed.writestr(program, "#!/bin/sh\necho Chromium 2.0\n")
        self.send_response(200)
        self.send_header("Content-Length", str(len(archive.getvalue())))
        self.end_headers()
        self.wfile.write(archive.getvalue())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  named so by the library
        pass


@pytest.mark.usefixtures("no_browser")
def test_where_no_package_has_one_the_driver_fetches_its_own(package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package("fonts-wqy-microhei")
    with ThreadingHTTPServer(("127.0.0.1", 0), Shelf) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", f"http://127.0.0.1:{server.server_port}")
        found = chromium_program.obtain(tmp_path / "cache" / "chromium")
        server.shutdown()
    assert subprocess.run([found], capture_output=True, text=True, check=True).stdout == "Chromium 2.0\n"
    assert chromium_program.obtain(tmp_path / "cache" / "chromium") == found


def test_an_installed_browser_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "bin" / "google-chrome"
    installed.parent.mkdir()
    installed.write_text("#!/bin/sh\n", encoding="utf-8")
    installed.chmod(0o755)
    monkeypatch.setenv("PATH", str(installed.parent))
    assert chromium_program.obtain(tmp_path / "cache") == str(installed)
    assert not (tmp_path / "cache").exists()

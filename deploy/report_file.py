"""The file that a report is to be written to: looked at before a long play begins, so that it does not end in vain."""

from pathlib import Path

from core.errors import UserError


def check_file(path: Path) -> None:
    """Raises UserError where no file could be written at ``path``. Leaves nothing behind."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UserError(f"目录 {folder} 不存在", f"there is no folder {folder}")
    if path.is_dir():
        raise UserError(f"{path} 是目录，请给出文件名", f"{path} is a folder: name a file in it")
    fresh = not path.exists()
    if not fresh and not path.is_file():
        # A pipe or a terminal: to open it is to use it.
        return
    try:
        path.open("ab").close()
        if fresh:
            path.unlink()
    except OSError as error:
        raise _refused(path, error) from None


def check_folder(path: Path) -> None:
    """Make the folder ``path`` if there is none. Raises UserError where that cannot be, or where nothing can be written in it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(path, error) from None
    check_file(path / ".writable")


def write_file(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8. Raises UserError where that fails all the same."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _refused(path, error) from None


def _refused(path: Path, error: OSError) -> UserError:
    return UserError(f"{path} 无法写入（{error.strerror}）", f"{path} cannot be written ({error.strerror})")

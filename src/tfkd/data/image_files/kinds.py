"""What a file is, by its name: an image, something else, or known by its content alone."""

from __future__ import annotations

from pathlib import PurePath

FORMATS = (
    *("AVIF", "BMP", "DDS", "DIB", "GIF", "HEIF", "ICNS", "ICO", "JPEG", "JPEG2000", "MPO", "PCX"),
    *("PNG", "PPM", "PSD", "QOI", "SGI", "SUN", "TIFF", "WEBP"),
)
"""Decoders of Pillow that images are let at, whatever their names.

No other is: that of EPS hands the file to a program, WMF is a drawing, IPTC opens what lies in it
by any decoder, and of FITS, GRIB and HDF5 the range of the pixels is not known.
"""

NAMED_FORMATS = dict.fromkeys((".icb", ".tga", ".vda", ".vst"), "TGA")
"""Decoders of formats that cannot be told by their content: any file might be one."""

_IMAGES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo", ".png", ".apng", ".gif", ".webp"),
        *(".bmp", ".dib", ".tif", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm", ".pfm", ".avif"),
        *(".avifs", ".heic", ".heics", ".heif", ".heifs", ".hif", ".jp2", ".j2k", ".j2c", ".jpc"),
        *(".jpf", ".jpx", ".ico", ".icns", ".pcx", ".qoi", ".sgi", ".psd", ".dds", ".ras"),
        *NAMED_FORMATS,
    )
)

_OTHERS = {
    "text, tables and annotations": ".txt .text .csv .tsv .json .jsonl .ndjson .xml .yaml .yml .md "
    ".rst .rtf .log .html .htm .doc .docx .odt .xls .xlsx .ods .parquet .py .ipynb .ini .cfg .toml "
    ".xmp .aae .pp3 .lst .cache",
    "films and sounds": ".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .mts .m2ts .wmv .flv .3gp .ogv "
    ".insv .lrv .thm .mp3 .wav .m4a .aac .flac .ogg",
    "raw photographs, which have to be developed": ".dng .cr2 .cr3 .crw .nef .nrw .arw .srf .sr2 "
    ".raf .orf .rw2 .pef .srw .raw .rwl .3fr .iiq .erf .kdc .mef .mos .mrw .x3f .gpr",
    "drawings and documents": ".svg .svgz .eps .ps .ai .pdf .wmf .emf .cdr .xcf .kra .pptx .odp",
    "archives": ".zip .tar .gz .tgz .bz2 .xz .7z .rar .zst",
    "arrays, weights and databases": ".npy .npz .mat .pt .pth .pkl .h5 .hdf5 .tfrecord "
    ".safetensors .onnx .db .sqlite .lmdb .mdb .fits .nii .dcm",
    "unfinished downloads and copies": ".part .partial .crdownload .download .tmp .temp .bak .lnk "
    ".url",
}
_REASONS = {suffix: reason for reason, text in _OTHERS.items() for suffix in text.split()}

HIDDEN = "hidden files, and what programs leave behind"
_LEFT_BEHIND = frozenset(
    (
        *("__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information"),
        *("lost+found", "__pycache__", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"),
    )
)


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden, or nothing that a person put there.

    Example:
        >>> [name for name in (".git", "__MACOSX", "Thumbs.db", "cat") if not is_hidden(name)]
        ['cat']
    """
    return name.startswith(".") or name.casefold() in _LEFT_BEHIND


def suffix_of(name: str) -> str:
    """Return the suffix of a file's name in small letters."""
    return PurePath(name).suffix.lower()


def is_image_name(name: str) -> bool | None:
    """Return whether a file is an image by its suffix; None if that does not tell.

    Example:
        >>> is_image_name("a.JFIF"), is_image_name("a.txt"), is_image_name("IMG_0001")
        (True, False, None)
    """
    suffix = suffix_of(name)
    if suffix in _IMAGES:
        return True
    return False if suffix in _REASONS else None


def other_kind(name: str) -> str:
    """Return in words what a file is that is no image by its suffix."""
    return _REASONS[suffix_of(name)]

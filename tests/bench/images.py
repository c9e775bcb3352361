"""The images of the bench, made on the spot without any network.

``APP_1`` and ``APP_2`` are one program in two versions: ``/version`` tells which. What
a container of it does is chosen by the words of its entrypoint, see image/words.sh; the
pages it answers are in image/pages.sh.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.bench.docker import SIDECAR_IMAGE, Docker

APP_1 = "bench-app:1"
APP_2 = "bench-app:2"
HERE = Path(__file__).parent / "image"
WORDS = (
    *("serve", "late", "quit", "linger", "stubborn", "deaf", "hungry", "hangs"),
    "raw",
)
PAGES = ("env", "health", "sick", "well", "hang", "quit", "slow")


def build(docker: Docker, folder: Path) -> None:
    """Make every image; the folder is for what is compiled."""
    busybox = shutil.which("busybox")
    assert busybox is not None
    applets = subprocess.run(
        [busybox, "--list"], capture_output=True, text=True, check=True
    )
    links = {f"bin/{name}": "busybox" for name in applets.stdout.split()}
    links |= {f"bin/{word}": "words" for word in WORDS}
    links |= {f"www/cgi-bin/{page}": "../../bin/pages" for page in PAGES}
    files = {
        "bin/busybox": Path(busybox).read_bytes(),
        "bin/words": (HERE / "words.sh").read_bytes(),
        "bin/pages": (HERE / "pages.sh").read_bytes(),
        "www/index.html": b"hello\n",
        "www/cgi-bin/.keep": b"",
    }
    for image in (APP_1, APP_2):
        docker.import_image(
            image,
            {**files, "www/version": image.partition(":")[2].encode()},
            {name: target for name, target in links.items() if name not in files},
            "ENV PATH=/bin",
            "EXPOSE 8080",
            'CMD ["serve"]',
        )
    program = folder / "sidecar"
    source = HERE / "sidecar.c"
    words = ["gcc", "-O2", "-static", "-o", str(program), str(source)]
    subprocess.run(words, check=True)
    docker.import_image(
        SIDECAR_IMAGE,
        {"sidecar": program.read_bytes()},
        {},
        'ENTRYPOINT ["/sidecar"]',
    )

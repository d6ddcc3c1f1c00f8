"""How `make lab` starts JupyterLab: with the first notebook, and none marked as changed unread.

A kernel writes its name and version into the metadata of each notebook that is opened. Here they
are filled in when the file is read, so that JupyterLab sees no change, and taken out when it is
written, so that git sees only what the reader changed.
"""

from pathlib import Path

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

KERNEL = "python3"


class CourseContents(AsyncLargeFileManager):
    """Files as JupyterLab serves them, but for the kernel's part of a notebook's metadata."""

    async def get(self, path, content=True, **options):
        """Read, and fill in this machine's kernel."""
        model = await super().get(path, content, **options)
        spec = self.parent.kernel_spec_manager.get_kernel_spec(KERNEL)
        set_kernel(model, spec.display_name, IPythonKernel.language_info)
        return model

    async def save(self, model, path=""):
        """Write, with the kernel named as the course's notebooks do."""
        set_kernel(model, "Python 3", {"name": "python"})
        return await super().save(model, path)


def set_kernel(model, display_name, language_info):
    """Name the kernel in the metadata of a notebook that runs on `KERNEL`; leave all else alone."""
    if model.get("type") != "notebook" or not model.get("content"):
        return
    metadata = model["content"]["metadata"]
    if metadata.get("kernelspec", {}).get("name") == KERNEL:
        metadata["kernelspec"]["display_name"] = display_name
        metadata["language_info"] = dict(language_info)


c = get_config()  # noqa: F821 -- Jupyter puts it here
c.ServerApp.contents_manager_class = CourseContents
# The whole course is in sight, so that a link from a notebook to the glossary opens it.
c.ServerApp.root_dir = str(Path(__file__).resolve().parent.parent)
# The address that is printed opens the notebook too.
c.LabApp.default_url = "/lab/tree/notebooks/01_computational_graphs.ipynb"

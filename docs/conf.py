"""Sphinx configuration; `make docs` builds with warnings as errors."""

import clemkit

project = "clemkit"
author = "The clemkit developers"
copyright = "2026, The clemkit developers"
release = version = clemkit.__version__

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {
    "description": "Correlative light, X-ray and electron microscopy",
    "page_width": "1080px",
    "fixed_sidebar": True,
}

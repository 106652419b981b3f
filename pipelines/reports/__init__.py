"""Rendering shared by the server and exported files: templates, presenters, static pages, PDF, Excel, packs."""

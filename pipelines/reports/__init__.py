"""Rendering that the server and files share: templates, presenters, static pages, PDF, Excel, packs."""

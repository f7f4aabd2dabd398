"""A Django site: the administration, a form with CSRF, files through the application."""

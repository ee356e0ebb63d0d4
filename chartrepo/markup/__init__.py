"""What charts say in Markdown, and code, as HTML that can be shown: cleaned, bounded, and with nothing that runs."""

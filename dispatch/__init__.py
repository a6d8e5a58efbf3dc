"""An alarm becomes a person on site and a phone that rings."""

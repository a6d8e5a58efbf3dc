"""Who may do what: users, sessions, tokens, rights, scope, and the record of what was looked at and changed."""

"""Results as a person looks at them: tables and figures."""

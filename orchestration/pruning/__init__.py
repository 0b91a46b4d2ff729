"""Which trials stop early: pure rules, a journal of what they were told, and Tune's adapter."""

"""What the lake's rules mean, as SQL expressions: text made of declarations; imports no engine."""

"""What people type: one module per group of commands, all thin; ``main`` puts them together."""

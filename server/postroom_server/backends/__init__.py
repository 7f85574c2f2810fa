"""One package per provider kind, each behind the ports of `domain.ports`; siblings do not know one another."""

"""Proto to domain and back, pure, one module per resource."""

"""tidegate: a load balancer and API gateway with a Rust data plane and a Python control plane."""

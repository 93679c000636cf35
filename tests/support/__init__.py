"""What tests are made with: policies, clocks, scripted transports, servers."""

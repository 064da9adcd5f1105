"""HTTP/1.1 on the wire: connections, requests within bounds, and how words leave."""

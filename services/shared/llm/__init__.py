"""What four rooms say to and about language models; nothing here opens a socket."""

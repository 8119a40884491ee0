"""What is broken or unsafe in an installation, and how to mend it."""

"""HTTP: the views of the repository. Flask for most of it, plain WSGI for the two reads that machines make all day."""

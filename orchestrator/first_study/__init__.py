"""What a first study is made of: somebody's own data, or a study that comes with the program."""

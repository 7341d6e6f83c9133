"""Files that travel with an exported model. They import nothing of this project."""

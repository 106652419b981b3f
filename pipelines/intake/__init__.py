"""One file per source of recordings; all of them end in a folder that `folder.read_folder` reads."""

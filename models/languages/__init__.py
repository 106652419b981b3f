"""The languages: lemmas, dictionaries, phrases and lexicons. One YAML file for each language, here and in each folder."""

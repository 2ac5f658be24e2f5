"""Stands in for the build backend while pip downloads a source archive.

pip asks the backend for the name and version of what it fetched, which would run the archive's own setup.py. Only a file
inside the archive is wanted here, so this answers from the folder's PKG-INFO, and nothing of the archive is executed.
"""
import os
import shutil
from email.parser import Parser


class _Backend:
    def get_requires_for_build_wheel(self, config_settings=None):
        return []

    def prepare_metadata_for_build_wheel(self, metadata_directory, config_settings=None):
        with open("PKG-INFO", encoding="utf-8") as file:
            info = Parser().parse(file)
        folder = f"{info['Name']}-{info['Version']}.dist-info"
        os.makedirs(os.path.join(metadata_directory, folder))
        shutil.copyfile("PKG-INFO", os.path.join(metadata_directory, folder, "METADATA"))
        return folder


__legacy__ = _Backend()

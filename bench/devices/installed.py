"""Switches that Debian does not have: they join where somebody has installed them."""
import os
import shutil

from .device import Device


class Installed(Device):
    programs = ()
    variable = ""  # of the environment: the folder with the programs, where they are not on PATH

    @classmethod
    def missing(cls):
        names = [name for name in cls.programs if cls.find(name) is None]
        return f"{' and '.join(names)} not found: put them on PATH, or name their folder in {cls.variable}" if names else ""

    @classmethod
    def find(cls, program):
        return shutil.which(program, path=os.environ.get(cls.variable))

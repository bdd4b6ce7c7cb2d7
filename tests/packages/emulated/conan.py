#!/usr/bin/env python3
"""Takes Conan's recipe through export and package, with a ConanFile of our own that has what the recipe uses of Conan 2.

    conan.py RECIPE WORK        prints name/version and -I paths of the package, which is in WORK/package
"""
import fnmatch
import importlib.util
import os
import shutil
import sys
import types

sys.dont_write_bytecode = True


class Settable:
    """cpp_info and info: attributes and properties are kept as they come."""

    def __init__(self):
        self.properties = {}
        self.cleared = False

    def set_property(self, name, value):
        self.properties[name] = value

    def clear(self):
        self.cleared = True


class ConanFile:
    version = None

    def __init__(self):
        self.cpp_info = Settable()
        self.info = Settable()


def copy(_, pattern, src, dst, keep_path=True):
    """A pattern's * also matches slashes. Answers what was copied."""
    copied = []
    for folder, _, names in os.walk(src):
        for name in names:
            relative = os.path.relpath(os.path.join(folder, name), src)
            if fnmatch.fnmatchcase(relative, pattern):
                target = os.path.join(dst, relative if keep_path else name)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(os.path.join(folder, name), target)
                copied.append(target)
    return copied


def load(_, path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def main(recipe, work):
    modules = {"conan": {"ConanFile": ConanFile}, "conan.tools": {}, "conan.tools.files": {"copy": copy, "load": load}}
    for name, members in modules.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(members)
    spec = importlib.util.spec_from_file_location("recipe", recipe)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    conanfile = next(each for each in vars(module).values() if isinstance(each, type) and issubclass(each, ConanFile) and each is not ConanFile)()
    for attribute in ("name", "license", "description", "package_type"):
        if not isinstance(getattr(conanfile, attribute, None), str):
            sys.exit("the recipe has no %s" % attribute)

    conanfile.recipe_folder = os.path.dirname(os.path.abspath(recipe))
    conanfile.export_sources_folder = os.path.join(work, "exported")
    conanfile.set_version()
    conanfile.export_sources()
    # From here on the checkout is out of reach, as it is in Conan's cache.
    conanfile.recipe_folder = None
    conanfile.source_folder = conanfile.export_sources_folder
    conanfile.package_folder = os.path.join(work, "package")
    conanfile.package()
    conanfile.package_id()
    conanfile.package_info()
    if conanfile.package_type == "header-library" and not conanfile.info.cleared:
        sys.exit("headers alone, and yet a package for each compiler")
    print("%s/%s" % (conanfile.name, conanfile.version))
    for folder in conanfile.cpp_info.includedirs:
        path = os.path.join(conanfile.package_folder, folder)
        if not os.path.isdir(path):
            sys.exit("the package has no folder %s" % folder)
        print("-I" + path)
    for name in ("cmake_file_name", "cmake_target_name", "pkg_config_name"):
        print("%s %s" % (name, conanfile.cpp_info.properties.get(name)))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])

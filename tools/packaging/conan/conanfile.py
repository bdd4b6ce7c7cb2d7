"""Conan 2 recipe: conan create tools/packaging/conan. It packs the checkout it lies in."""
import os
import re

from conan import ConanFile
from conan.tools.files import copy, load

required_conan_version = ">=2.0"


class IothubClientConan(ConanFile):
    name = "iothub_client"
    description = "Azure IoT Hub client in one C header; no allocator, no threads, no operating system"
    license = "MIT OR Unlicense"
    topics = ("azure", "iot-hub", "mqtt", "embedded", "header-only")
    package_type = "header-library"
    no_copy_source = True

    def set_version(self):
        header = load(self, os.path.join(self.recipe_folder, "..", "..", "..", "iothub_client.h"))
        self.version = re.search(r'^#define IOTHUB_CLIENT_VERSION "(.*)"', header, re.MULTILINE).group(1)

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "..", "..", "..")
        for pattern in ("iothub_client.h", "ports/*.h", "LICENSE"):
            copy(self, pattern, src=root, dst=self.export_sources_folder)

    def package(self):
        include = os.path.join(self.package_folder, "include", "iothub_client")
        copy(self, "iothub_client.h", src=self.source_folder, dst=include)
        copy(self, "ports/*.h", src=self.source_folder, dst=include)
        copy(self, "LICENSE", src=self.source_folder, dst=os.path.join(self.package_folder, "licenses"))

    def package_id(self):
        self.info.clear()

    def package_info(self):
        self.cpp_info.includedirs = ["include/iothub_client"]
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_file_name", "iothub_client")
        self.cpp_info.set_property("cmake_target_name", "iothub_client::iothub_client")
        self.cpp_info.set_property("pkg_config_name", "iothub_client")

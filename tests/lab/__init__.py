"""The lab: nodes, pods and a physical network on one machine, made of network namespaces.

The demo and the end-to-end tests build their worlds from it. Only Python's standard library.
"""

"""See what every cell of a recurrent network has learned."""

import lazy_loader

# A public name is imported when it is first used; `__init__.pyi` tells where from, and which there are.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""tmp"""
def make(root, *, log): pass

/* A library to be preloaded: it is loaded, and that is all it does. */
int hooked;

__attribute__((constructor)) static void loaded(void) { hooked = 1; }

"""Developer programs: assemble the runtime, vendor the Worker's packages, serve locally. `src/` never imports them."""

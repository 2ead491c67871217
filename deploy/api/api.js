"use strict";

// Swagger UI comes from the Python package swagger-ui-py; nginx serves it from there.
window.SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#operations",
  deepLinking: true,
  defaultModelsExpandDepth: -1,
  // The default one is a service on the internet.
  validatorUrl: null,
});

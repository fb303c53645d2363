import { Hono } from 'hono';

const app: Hono = new Hono().basePath('/hono');

app.get('/', (context) => context.html('<!doctype html><title>Hono</title><p>Hello from Hono!</p>'));
app.get('/greet/:name', (context) => context.json({ hello: context.req.param('name') }));
app.post('/echo', async (context) => context.text(await context.req.text()));

export default app;

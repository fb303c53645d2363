import {
  createArg,
  dispatchRules,
  fileBox,
  html,
  type Html,
  integerArg,
  nextDispatcher,
  redirectTo,
  rule,
  type ServletRequest,
  type ServletResult,
  stringArg,
  template,
} from '@custodian/worker';

interface Post {
  title: string;
  body: string;
  /** ISO 8601, UTC. */
  at: string;
}

interface Values {
  title: string;
  content: Html;
  home: string;
  write: string;
  months: { name: string; href: string }[];
}

const FIRST: Post = {
  title: 'A first post',
  body: 'Each page of this blog has an address that can be read, and every link is made by the function that it leads to.\n\nWrite one yourself: it stays, also when the host is started again.',
  at: '2026-01-15T10:00:00.000Z',
};
const POSTS_MAX_COUNT = 200;

const frame = template<Values>('blog.html');
/** All threads share it, and it outlives a restart. */
const box = fileBox<Post[]>('blog-posts', [FIRST]);

/** A month of the year, which is one of twelve. */
const monthArg = createArg({
  in: (text) => (/^(?:0?[1-9]|1[0-2])$/.test(text) ? Number(text) : undefined),
  out: (month: number) => String(month).padStart(2, '0'),
});

const blog = dispatchRules(
  rule`/blog`(listPosts),
  rule`/blog/posts/${stringArg}`(showPost),
  rule`/blog/archive/${integerArg}/${monthArg}`(listMonth),
  rule`/blog/new`(askPost),
  rule('POST')`/blog/posts`(savePost),
);
export default function start(request: ServletRequest): unknown {
  return blog.dispatch(request);
}

async function listPosts(): Promise<Html> {
  const posts = await box.get();
  return page('The blog', posts, posts.map(summary));
}

async function showPost(_request: ServletRequest, title: string): Promise<Html> {
  const posts = await box.get();
  const post = posts.find((each) => each.title === title) ?? nextDispatcher();
  const paragraphs = post.body.split(/\n{2,}/).map((text) => html`<p>${text}</p>`);
  return page(post.title, posts, html`${dated(post)} ${paragraphs}`);
}

async function listMonth(_request: ServletRequest, year: number, month: number): Promise<Html> {
  const posts = await box.get();
  const found = posts.filter(({ at }) => at.startsWith(`${year}-${monthArg.out(month)}-`));
  return page(
    nameOf(year, month),
    posts,
    found.length === 0 ? html`<p>Nothing was written then.</p>` : found.map(summary),
  );
}

async function askPost(): Promise<Html> {
  return page(
    'Write a post',
    await box.get(),
    html`<form action="${blog.url(savePost)}" method="post">
      <label>Title <input name="title" maxlength="100" required /></label>
      <label>Text <textarea name="body" rows="8" maxlength="10000" required></textarea></label>
      <button type="submit">Publish</button>
    </form>`,
  );
}

async function savePost({ bindings }: ServletRequest): Promise<ServletResult> {
  const [title, body] = [
    bindings.single('title').trim().slice(0, 100),
    bindings.single('body').replaceAll('\r\n', '\n').trim().slice(0, 10_000),
  ];
  if (title === '' || /^\.{1,2}$/.test(title)) return redirectTo(blog.url(askPost), 'see-other');
  const post = { title, body, at: new Date().toISOString() };
  await box.update((posts) => [post, ...posts.filter((other) => other.title !== title)].slice(0, POSTS_MAX_COUNT));
  return redirectTo(blog.url(showPost, title), 'see-other');
}

function summary(post: Post): Html {
  return html`<article>
    <h2><a href="${blog.url(showPost, post.title)}">${post.title}</a></h2>
    ${dated(post)}
    <p>${post.body.split('\n', 1)}</p>
  </article>`;
}

function dated({ at }: Post): Html {
  return html`<time datetime="${at}">${at.slice(0, 10)}</time>`;
}

function nameOf(year: number, month: number): string {
  return new Date(Date.UTC(year, month - 1)).toLocaleString('en', { month: 'long', year: 'numeric', timeZone: 'UTC' });
}

function page(title: string, posts: readonly Post[], content: Html | Html[]): Html {
  const months = [...new Set(posts.map(({ at }) => at.slice(0, 7)))].map((month) => {
    const [year, number] = month.split('-').map(Number) as [number, number];
    return { name: nameOf(year, number), href: blog.url(listMonth, year, number) };
  });
  const values = { title, content: html`${content}`, home: blog.url(listPosts), write: blog.url(askPost), months };
  return frame(values);
}

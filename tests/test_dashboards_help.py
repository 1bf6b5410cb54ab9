from dashboards import help as manual


def test_markup_in_the_manual_is_shown_as_text() -> None:
    text = manual.render("<script>alert(1)</script> [x](javascript:alert(1)) <b>b</b>")
    assert "<script" not in text
    assert "<b>" not in text
    assert 'href="javascript' not in text


def test_links_and_pictures_are_relative_to_the_manual() -> None:
    text = manual.render("[Weigh](weighing.md#tare) ![k](kiosk.png) [Kiosk](/kiosk)")
    assert 'href="/help/weighing#tare"' in text
    assert 'src="/help/kiosk.png"' in text
    assert 'href="/kiosk"' in text


def test_the_index_comes_first_and_every_page_has_a_title() -> None:
    pages = manual.pages()
    assert pages[0][0] == "index"
    assert all(title and not title.startswith("#") for _, title in pages)


def test_every_link_of_the_manual_leads_somewhere() -> None:
    import re

    names = {name for name, _ in manual.pages()}
    for name, _ in manual.pages():
        html = manual.render((manual.FOLDER / f"{name}.md").read_text("utf-8"))
        for target in re.findall(r'(?:href|src)="/help/([^"#]+)', html):
            assert target in names or (manual.FOLDER / target).is_file(), (name, target)

from django.contrib import admin
from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.urls import path


def form(request):
    if request.method == 'POST':
        request.session['greeting'] = request.POST['greeting']
        return HttpResponseRedirect('/greeting/')
    return HttpResponse('<form method="post"><input type="hidden" name="csrfmiddlewaretoken" '
                        f'value="{get_token(request)}"><input name="greeting"></form>')


def greeting(request):
    return HttpResponse(request.session.get('greeting', 'nothing'))


def upload(request):
    file = request.FILES['file']
    return HttpResponse(f'{file.name} {file.size}')


def stream(request):
    return StreamingHttpResponse(f'line {i}\n' for i in range(1000))


def fail(request):
    raise RuntimeError('deliberate: in a view')


urlpatterns = [
    path('admin/', admin.site.urls),
    path('form/', form),
    path('greeting/', greeting),
    path('upload/', upload),
    path('stream/', stream),
    path('fail/', fail),
]

"""The usual regression script on scikit-learn and XGBoost, timed per stage: FILE TARGET [DROP,COLUMNS].

FOLDS=5 adds the cross-validation that the classification script has; TUNED=1 runs its folds in parallel with one thread inside each model.
"""
import os, sys, time, json, resource
t0=time.time()
import numpy as np, pandas as pd, xgboost as xgb
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler, OneHotEncoder
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_squared_error, mean_absolute_error, r2_score
timport=time.time()-t0; TUNED=os.environ.get('TUNED')=='1'; FOLDS=int(os.environ.get('FOLDS','0'))
path,target=sys.argv[1:3]; drop=sys.argv[3].split(',') if len(sys.argv)>3 and sys.argv[3] else []
df=pd.read_csv(path).drop(columns=drop); df=df[df[target].notna()]
y=df[target]; X=df.drop(columns=[target])
Xtr,Xte,ytr,yte=train_test_split(X,y,test_size=.2,random_state=42)
num=X.select_dtypes(include=['number']).columns; cat=[c for c in X.columns if c not in num]
pre=ColumnTransformer([('num',Pipeline([('i',SimpleImputer(strategy='median')),('s',StandardScaler())]),num),('cat',Pipeline([('i',SimpleImputer(strategy='constant',fill_value='missing')),('o',OneHotEncoder(handle_unknown='ignore'))]),cat)])
M={'linear_regression':LinearRegression(),'ridge':Ridge(alpha=1.0),'random_forest':RandomForestRegressor(n_estimators=100,random_state=42,n_jobs=-1),'xgboost':xgb.XGBRegressor(random_state=42)}
res={}
for n,m in M.items():
    p=Pipeline([('pre',pre),('reg',m)]); trees=n in ('random_forest','xgboost'); a=time.time(); cv=None
    if FOLDS:
        if TUNED and trees: m.set_params(n_jobs=1)
        cv=-cross_val_score(p,Xtr,ytr,cv=KFold(FOLDS,shuffle=True,random_state=42),scoring='neg_root_mean_squared_error',n_jobs=-1).mean()
        if TUNED and trees: m.set_params(n_jobs=-1)
    b=time.time(); p.fit(Xtr,ytr); c=time.time(); pt=p.predict(Xte); d=time.time()
    res[n]=dict(cv_s=round(b-a,3),fit_s=round(c-b,3),pred_s=round(d-c,3),cv=cv and round(float(cv),4),rmse=round(float(np.sqrt(mean_squared_error(yte,pt))),4),mae=round(mean_absolute_error(yte,pt),4),r2=round(r2_score(yte,pt),4))
print(json.dumps(dict(path=os.path.basename(path),rows=len(df),import_s=round(timport,2),total_s=round(time.time()-t0,2),rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss//1024,child_rss_mb=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss//1024,**res),indent=1))
